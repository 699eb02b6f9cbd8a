"""The web pages: HTML that can be read without JavaScript."""
