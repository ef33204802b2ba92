//! What is seen: the read models.
