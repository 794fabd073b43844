"""Turns a Terraform plan into a report that a person reads in a minute."""
