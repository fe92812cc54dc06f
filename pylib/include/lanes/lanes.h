/* The registers of lanewise.kernels.lanes, which stand beside the kernels: with lanewise.get_include() on the path,
 * a module that cimports them compiles. */
#include "../../kernels/lanes/lanes.h"
