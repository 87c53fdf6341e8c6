"""Import of BNN-PYNQ's trained parameters: files of packed weights and thresholds, folded for its engines.

The project: https://github.com/Xilinx/BNN-PYNQ (Y. Umuroglu et al., "FINN: A Framework for Fast, Scalable Binarized
Neural Network Inference", FPGA 2017). docs/import.md has the format and how to write a topology.
"""

from bitwright_bnn_pynq.network import ParameterSet, read_parameters
from bitwright_bnn_pynq.topology import Topology, load_topology, topology_names

__all__ = ["ParameterSet", "Topology", "load_topology", "read_parameters", "topology_names"]
