"""Ask the trained network about single measurements: python predict.py"""

import torch

from data import measurements
from net import Net


def main():
    model = Net()
    model.load_state_dict(torch.load("weights.pt"))
    model.eval
    x, y = measurements(200, 200)
    with torch.no_grad():
        answers = [model(x[n : n + 2]).argmax(1)[0] for n in range(0, len(x), 2)]
    hits = sum(int(answer == truth) for answer, truth in zip(answers, y[::2]))
    print(f"{hits} of {len(answers)} right")


if __name__ == "__main__":
    main()
