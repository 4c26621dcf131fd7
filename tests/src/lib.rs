//! Private brokers and databases for tests, and the whole service seen from outside.
