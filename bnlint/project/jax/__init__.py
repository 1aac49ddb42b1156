"""JAX programs: where results go, what is differentiated, which modes are set."""
