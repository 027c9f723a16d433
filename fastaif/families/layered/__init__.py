"""Networks of any depth, outputs and classes, by derivatives written out for whole batches."""
