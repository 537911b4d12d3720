"""Audits: planned, scoped, opened, asked about, closed; the evidence set that stays, and the zip that is taken away."""
