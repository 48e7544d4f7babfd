"""What make.rs.txt acknowledges, as the test wants to know it: `expected.py sampled` or `expected.py unsampled`."""
import json
import sys

SPANS = 3
sampled = sys.argv[1] == "sampled"
batches = {
    "default": [range(n, n + 10) for n in range(0, 80, 10)] + [range(n, n + 5) for n in range(80, 110 if sampled else 100, 5)],
    "other": [range(0, 5), range(40, 45), range(80, 83)],
}
tenants = []
for tenant, parts in batches.items():
    traces = [n for part in parts for n in part]
    pending = [n for n in traces if sampled and n >= 100]
    dropped = [n for n in traces if sampled and n % 4 == 0 and n < 100]
    rejected = sum(n % 8 == 3 for n in traces)
    # Every batch with more than twenty items says that head sampling took three.
    items = [len(part) * SPANS + sum(n % 8 == 3 for n in part) for part in parts]
    head_dropped = 3 * sum(n > 20 for n in items) if sampled else 0
    tenants.append({
        "tenant": tenant,
        "accepted": len(traces) * SPANS + head_dropped,
        "rejected": rejected,
        "kept": [n for n in traces if n not in pending and n not in dropped],
        "pending": pending,
        "dropped": dropped,
    })
print(json.dumps(tenants))
