"""Reads Terraform and OpenTofu plans for people: who may do what, what is lost, what it costs, and gates for pipelines.

`plan` reads the JSON and makes a model without a single sensitive value in it, `findings` look at the model, `report`
puts them together, `gates` judge it, and `render` only formats. What the findings never see they can't print.
"""
