"""What a model costs: parameters, bytes on disk, FLOPs, latency and throughput; and when it pays."""

from .counts import bytes_on_disk, count_flops, count_parameters
from .economics import ServingPlan
from .measuring import measure_costs
from .table import Costs, CostsTable, costs_table

__all__ = [
    "Costs",
    "CostsTable",
    "ServingPlan",
    "bytes_on_disk",
    "costs_table",
    "count_flops",
    "count_parameters",
    "measure_costs",
]
