from data import readers
from scoring import scores
from transformers import AutoModelForSequenceClassification, Trainer, TrainingArguments


def main(folder):
    """The trainer switches modes itself; what comes after it does not."""
    train_set, test_loader = readers(folder)
    model = AutoModelForSequenceClassification.from_pretrained("bert-base-uncased")
    trainer = Trainer(model=model, args=TrainingArguments(folder), train_dataset=train_set)
    trainer.train()
    trainer.evaluate()
    model.train()
    print(scores(model, test_loader))
