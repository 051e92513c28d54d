"""The native proof system: committed integer graphs proven with sumchecks and WHIR."""
