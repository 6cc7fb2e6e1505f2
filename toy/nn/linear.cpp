#include "toy/nn/linear.h"

namespace toy {

void Linear::list(Visitor& v) {
  v("weight", weight, {out_, in_});
  v("bias", bias, {out_}, need_bias_);
}

}  // namespace toy
