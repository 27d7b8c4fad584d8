"""What another processor would change: the sizes of tiles and panels, and thresholds.

Figures without a name are of two cores of an AMD Zen 4, with vectors of 64 bytes. The order of
sums, and with it the last bits of results, depends on PANEL_VECTORS, GROUP, PART, UPDATE_DEPTH,
SLICE_ROWS, ROW_SUMS, and all that chooses a plan or a loop. TILE_ROWS and UNIT_ROWS are even.
"""

from __future__ import annotations

import llvmlite.binding as llvm

from fastmlp.kernels.llvm.emitter import VECTOR_BYTES

# The dense tile by its width in vectors: so many rows of sums, and their operands, fill the
# registers (32 or 16)
TILE_HEIGHTS = {4: 6, 3: 8, 2: 8, 1: 16} if VECTOR_BYTES == 64 else {2: 6, 1: 12}
TILE_VECTORS = max(TILE_HEIGHTS)
# Sums of an element of a single row of a minibatch: together no more than half of the registers
ROW_SUMS = 4 if VECTOR_BYTES == 64 else 2
# Rows of a unit of work
TILE_ROWS = 8 if VECTOR_BYTES == 64 else 6
# Vectors of a panel at most: a group's rows of sums, or of weights, are in registers. Narrower
# panels were slower in the sparse loops. Panels are 1, 2 or 4 vectors wide, and a word has a bit
# for each of at most 64 columns
PANEL_VECTORS = 4
# Panels that lie far apart, each in large pages of its own. Where a member has many, what it reads
# beyond its last one is little
MOST_SPREAD = 16
# Neighbouring pixels that lie together, transposed; and those of a group, all of it or half
QUAD = 4
GROUP = 4 if VECTOR_BYTES == 64 else 2
# Samples of a part of a minibatch: one for each bit of a word
PART = 64
WORD_BYTES = PART // 8

# Share of nonzero pixels below which the sparse phases of the first layer are the faster ones
SPARSE_BELOW = 0.4
# How many images are looked at to report their density, and to choose
SAMPLED, GLANCED_AT = 256, 64
# Pairs of pixels that an image may have if it is taken by itself: their numbers have 16 bits
MOST_LISTED = 2**16
# Size of a minibatch from which on groups are taken by their samples: below it, image by image
BY_GROUP_FROM = 16
# Outputs of a last layer, in vectors, up to which its w lies transposed: in smaller minibatches;
# in others. With 3/4, 784-16-16-10/1 takes 1.33 times as long, 784-128-10/64 0.985 (AMD Zen 5)
FEW_OUTPUTS = 1 / 2, 3 / 4
PROCESSOR = llvm.get_host_cpu_name()
# Cores that multiply and add one vector of 64 bytes a cycle; others with such vectors do two
ONE_A_CYCLE = {"cannonlake", "icelake-client", "rocketlake", "tigerlake", "znver4"}
# Share of nonzero outputs from which on the dense tile is faster, though it does all: there a load
# of weights serves many samples, here one or two. 0.45: Xeon of 2019; with vectors of 32 bytes
# there, 0.72; both before two samples shared their loads
DENSE_FROM = 0.45 if VECTOR_BYTES == 64 and PROCESSOR not in {*ONE_A_CYCLE, "znver5"} else 0.75

# Bytes of weights that rows of x are multiplied with in one go: they stay in the L2 cache
PANELS_BYTES = 2**18
# For so many samples or fewer, delta makes no w^T: it takes longer than to multiply with w
FEW_SAMPLES = 3
# Rows that are multiplied at once, whole tiles of each width: what is done next to the products
# finds them in the L1 cache
UNIT_ROWS = 6 * TILE_ROWS
# Outputs for each of a few rows from which on each row is taken alone, with outputs in the lanes
ALONE = 16
# Samples that an update takes at once, two parts: so many rows of dz stay in the L1 cache
UPDATE_DEPTH = 2 * PART
# Inputs whose x^T is in memory at once, for an update of several panels: at most 300 kB
TRANSPOSED = 512
# Bytes from one row of x to the next from which on an update of a single panel transposes x, too
FAR_ROWS = 1600
# Pixels whose weights are updated at once: so many gradients stay in the L2 cache
UPDATE_INPUTS = 128
# With fewer panels than members, a unit of a sparse first layer is so many samples forward. In the
# update, a member's units lie so many units apart
FEW = 8
# Inputs whose gradients of sparse rows are in memory at once: at most 256 kB, in the L2 cache. Each
# sample's entries of them are found anew
ENTRY_ROWS = 1024
# Images that are prefetched ahead of the one that is loaded as dense
PREFETCHED = 8
# Columns, then rows, of several hidden layers: how much larger than half a layer a half may be.
# With 1.2, 784-300-300-10/100 takes 1.04 times as long as by columns (AMD Zen 5)
EVEN = 1.1
# By samples: the fewest samples of a slice, the most slices, and what divides the samples of each
# but the last (by TILE_ROWS, slices of 200 would have 96 and 104)
SLICE, MOST_SLICES, SLICE_ROWS = 64, 16, 4
# And how many samples a member takes at once, unless a slice has more
AT_ONCE = 256
# The fewest outputs of hidden layers in a step, for each parameter, that pay: against by columns;
# against columns, then rows. 54-100-7/200, which has 3.2, takes 0.90 times as long by samples, far
# 0.96, and 54-100-7/128, with 2.1, 0.95, but about 1.1 on far cores (AMD Zen 5)
LEAST_OUTPUTS = 0.8, 3
# By inputs: how many slices the inputs have. With 4, one thread is 1 to 5 % slower (Xeon of 2019)
INPUT_SLICES = 2
# The most bytes of the first layer's weights that each member has a copy of. At the end of a chunk,
# they are copied back. With 800 kB, and Adam, an epoch on far cores takes 0.85 times as long
COPIED = 1 << 20
# And how many times as many weights the first layer has, at least, as those behind it, which each
# member multiplies with for itself
REPEATED = 8
# By samples, parameters whose gradients are summed before a general step: they stay in the L1 cache
SUMMED = 1024
# Rows of a panel, or of w^T, whose gradients are squared, or take a step, at once: those of a panel
# stay in the L1 cache
PIECE = 64
