"""Made-up identity cards: the person, the printed card, and the photograph of it."""
