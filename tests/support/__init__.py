"""What tests of many folders share: models and data to test on, comparisons."""
