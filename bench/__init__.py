"""Benchmarks of fastaif against the machine's floor and against what a user would pick instead."""
