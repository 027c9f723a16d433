from . import bases as bases
from . import experiments as experiments
from . import losses as losses
from . import norms as norms
from . import plotting as plotting
from ._aif import aif as aif
from ._attack import adversarial_loss as adversarial_loss
from ._attack import attack as attack
from ._config import set_backend as set_backend
from ._config import show_config as show_config
from ._config import warmup as warmup
from ._robust import robust_fit as robust_fit
from ._sensitivity import sensitivity as sensitivity
from ._warnings import InfluenceWarning as InfluenceWarning
from .models.linear import HuberRegression as HuberRegression
from .models.linear import LinearRegression as LinearRegression
from .models.linear import LogisticRegression as LogisticRegression
from .models.linear import PoissonRegression as PoissonRegression
from .results import InfluenceResult as InfluenceResult
from .verification import RobustFit as RobustFit
from .verification import Verification as Verification

__version__: str
