"""Axis, momentum, eps, bias, batch of one: is the layer set up as meant?"""
