"""The documents of Mailark; `generate` writes the parts of them that follow from the code."""
