"""What shows things from all three apps: Home, the badges of the menu, search, and Activity.

Only this package imports all of them. Each page asks plain query functions of the apps and puts the answers together.
"""
