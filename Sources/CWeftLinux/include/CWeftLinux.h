#pragma once
#include "original_destination.h"
#include "launcher.h"
