"""What a model costs: parameters, bytes on disk, FLOPs, latency and throughput."""

from .counts import bytes_on_disk, count_flops, count_parameters
from .measuring import measure_costs
from .table import Costs, CostsTable, costs_table

__all__ = [
    "Costs",
    "CostsTable",
    "bytes_on_disk",
    "costs_table",
    "count_flops",
    "count_parameters",
    "measure_costs",
]
