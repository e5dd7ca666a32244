"""Hindi: 12,34,567. What is not said here, Django says."""

NUMBER_GROUPING = (3, 2, 0)
