"""The pages: HTML that can be read without a script."""
