"""Forms that change something: seen before it is made, and made once."""
