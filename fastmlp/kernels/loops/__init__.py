"""The innermost loops: products, formulas over tiles, and the words that say what is not zero."""
