"""What tests and benchmarks of this project, and of programs that use it, need; no part of the product imports it."""
