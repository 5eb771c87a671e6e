// The bamba dialect in one file for mlir-tblgen: it only gathers the parts.
#ifndef BAMBAC_DIALECTS_BAMBA_BAMBA_TD
#define BAMBAC_DIALECTS_BAMBA_BAMBA_TD

include "dialects/bamba/BambaDialect.td"
include "dialects/bamba/BambaAttributes.td"
include "dialects/bamba/BambaOps.td"
include "dialects/bamba/BambaStateOps.td"
include "dialects/bamba/DispatchOps.td"

#endif
