"""Compilers and analysers that judge whether a file with an answer in it is as sound as its author's."""
