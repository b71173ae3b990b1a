"""A package, so that the tests and import-linter find what is in it."""
