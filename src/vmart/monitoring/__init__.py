"""What machines use, minute by minute, and alarms on it.

Tables: reading (the engine's last counts of each machine), minute, five, hour (values, partitioned), rolled; alarm,
alarm_state, alarm_notice. Verbs: ``sample.zone`` once a minute a zone, ``roll_up.until_now``, ``series.of_machine``,
``alarms.create`` and ``delete``, ``evaluate.now``, ``mails.send``. Reads engines and machines; no money depends on it.
"""
