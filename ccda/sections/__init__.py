"""Readers of sections, one file a family: a clinical statement in, `Entry` values out."""
