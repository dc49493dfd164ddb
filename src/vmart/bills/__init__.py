"""What was charged: one row a machine, component and clock hour, for ever.

Table: charge. The settlement's close writes it and nobody changes it; reads are ``fn.bills_month_exact_e8`` (a
component's total of the month so far) and ``fn.bills_charged_until`` (the end of an account's last charged hour).
"""
