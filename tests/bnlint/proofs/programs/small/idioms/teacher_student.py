import copy
import torch
import torch.nn as nn


def distill(teacher, student, loader, opt, crit, epochs):
    teacher.eval()
    student.train()
    for epoch in range(epochs):
        for x, y in loader:
            with torch.no_grad():
                t = teacher(x)
            opt.zero_grad()
            crit(student(x), t).backward()
            opt.step()
