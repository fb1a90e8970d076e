"""Tests of the vault: formats against frozen vectors and a second implementation, and every refusal by its class."""
