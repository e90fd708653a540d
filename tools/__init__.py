"""Programs for the developers of syncd. They are no part of the distribution."""
