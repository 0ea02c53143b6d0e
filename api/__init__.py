"""HTTP: what people and programs may ask and say."""
