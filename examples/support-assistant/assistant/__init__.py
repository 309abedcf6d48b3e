"""A support assistant that learns from the people who correct it."""
