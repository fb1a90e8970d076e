"""The JSON API, one file per resource: read a request, call a flow, shape an answer.

Owns the shapes of requests and answers under `/v1`. Decides nothing and holds no SQL.
"""
