"""Runs that differ only in numbers, trained as one: the models stacked along a new first axis, one step for all."""
