"""A stand-in for Mailu: its admin API, its web login, IMAP and SMTP over TLS, as `platform-facts.md` has measured them.

One process holds any number of servers. Each has its own state, API token, rate limits, faults and four ports, and any
number of domains: tests give each tenant a server, as the platform gives each its own VPS; a benchmark gives thousands
of tenants one, since a port and a certificate each would measure the machine. Nothing tells servers apart by host name:
a machine without a name server reaches all of them as `localhost`.

What `platform-facts.md` leaves open follows the source of Mailu 2024.06 and later (github.com/Mailu/Mailu,
core/admin/mailu), and each place names the file. Passwords are hashed once, not by bcrypt: the cost of a login is not
Mailu's.
"""
