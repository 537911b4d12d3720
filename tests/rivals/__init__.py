"""Other ways to keep the same evidence, for `make bench ARGS=--history`: each is given the same days.

days       the listings of a day as files, taken once from the simulator
naive      a JSON row for each snapshot, in SQLite
auditree   the git locker of Auditree; runs in an environment of its own and imports nothing of ours
pages      our own pages and differences, measured inside of one process
history    drives them and prints the table
"""
