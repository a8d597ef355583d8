"""Train sparse binary networks: TOML model in, trained file and metrics out."""
