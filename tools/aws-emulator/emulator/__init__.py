"""AWS on the loopback interface: moto holds most of the state, this package makes it behave like AWS.

A request goes the way of the modules: `server` (HTTP) -> `front` (who asks what, faults, log) ->
either one of our operations (`ec2/`, `dms/`, `sts`) or moto's own (`moto_service`).
"""
