#include "toy/nn/norm.h"

namespace toy {

void RMSNorm::list(Visitor& v) {
  v("weight", weight, {width_});
  v("eps", eps_);
}

void LayerNorm::list(Visitor& v) {
  v("weight", weight, {width_});
  v("bias", bias, {width_});
  v("eps", eps_);
}

}  // namespace toy
