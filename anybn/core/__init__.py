"""The maths of batch norm: plain functions of a namespace and arrays."""
