"""Readers of motion files: each turns a file into joint positions of its own skeleton."""
