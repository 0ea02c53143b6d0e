"""A noun each."""
