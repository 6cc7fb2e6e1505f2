// Everything a program that trains needs, in one include.
#pragma once

#include "toy/models/save.h"
#include "toy/tensor/device/cpu/cpu_device.h"
#include "toy/train/recipe.h"
#include "toy/train/run.h"
#include "toy/train/sample.h"
