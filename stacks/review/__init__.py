"""Reads Terraform and OpenTofu plans for people: who may do what, what is lost, what it costs, and gates for pipelines.

Pure functions over plain data: `source` reads the JSON, `build` makes the model without a single sensitive value in it,
the analyses look at the model, `report` puts them together, and the renderers only format. What the analyses never see
they can't print.
"""
